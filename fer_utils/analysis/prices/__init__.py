"""What each shortcut of a protocol is worth, in points of accuracy.

`experiments` says which runs are compared, `paired` compares them on the same images, `tables` makes the price lists.
"""
