"""Layers explained by images: what an operation does to a face, step by step, with the numbers that mytorch computes.

film = convolution.make_film(load_gray_face(24), read_kernel("edges"))
film.figure(0)  # one step, as a matplotlib figure
film.poster()   # the steps of the story, one below the other
film.gif()      # all steps, as the bytes of an animation
"""
