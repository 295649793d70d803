"""`faces serve`: the HTTP service and the web page."""
