"""The test bed: real images in a real registry and real databases to step through releases."""
