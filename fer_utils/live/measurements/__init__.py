"""What recognising costs and how steady it is. Nothing here is loaded to recognise a face."""
