"""Results: their page, their files, their images in a browser, and all of it for scripts."""
