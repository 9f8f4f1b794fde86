"""What all areas share: the frame of a page, its words, its headers, its files, and answers to errors."""
