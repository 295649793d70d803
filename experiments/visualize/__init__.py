"""Layers explained by looking: what an operation does to a face, step by step, with the numbers that mytorch computes.

film = convolution.make_film(load_gray_face(24), read_kernel("edges"))
film.figure(0)  # a step, as matplotlib's figure
film.poster()   # several steps below one another
film.gif()      # all of them, as the bytes of an animation
"""
