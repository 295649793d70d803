"""`faces align`: detect the face in each image, align it to a template and store it."""
