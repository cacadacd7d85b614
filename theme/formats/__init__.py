"""How Django writes dates and numbers on the pages, by language."""
