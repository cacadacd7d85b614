"""How the admin and its lists look, and what their forms share. Knows no key and no model."""
