"""A failed comparison of a layer as data, and as a drawing: expected and got, and the windows of one wrong element."""
