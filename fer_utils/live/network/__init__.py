"""The network as a file: its description, the engines that run it, and how a trained one is exported."""
