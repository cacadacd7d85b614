"""The ways out: webhooks and mail, as the settings name them."""
