"""What people use: predictions in folders, evaluation, the desktop window, the browser's widget."""
