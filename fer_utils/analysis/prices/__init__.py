"""What each shortcut of a protocol is worth, in points of accuracy.

`experiments` declares the runs that are compared and prices them, `known_persons` proves why one price is negative,
`confirmations` repeats a price with the reports' own networks, `tables` makes the price lists.
"""
