"""How good a network is: figures from predictions and answers."""
