"""How the admin looks, and what its lists and forms share. Knows neither keys nor models."""
