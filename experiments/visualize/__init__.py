"""Layers explained by looking: what an operation does to a face, step by step, with the numbers that mytorch computes.

film = convolution.film(portrait(24), named_kernel("edges"))
film.figure(0)  # a step, as matplotlib's figure
film.poster()   # several steps below one another
film.gif()      # all of them, as the bytes of an animation
"""
