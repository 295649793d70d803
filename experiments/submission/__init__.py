"""What a run leaves for people: plots, sheets of faces, submissions."""
