"""The only room that knows torch and MONAI: a bundle becomes something that runs."""
