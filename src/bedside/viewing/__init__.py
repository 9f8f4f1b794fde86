"""What people look at in a result: its document as values, and images with masks as a browser can draw them.

Owns the way from a result to pixels: the series that the model read, its masks on the same grid, both turned
to the order in which people look (feet to head, front to back, right to left), kept below ``.work/`` under a
bound. Knows no HTTP. Images are read by `bedside.dicom` as the model's were, one study at a time.
"""
