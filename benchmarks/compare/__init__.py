"""Two artifacts on one device: is the second slower than the first?"""
