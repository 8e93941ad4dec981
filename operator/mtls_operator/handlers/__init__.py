"""kopf's side: which events are taken, and nothing of what is done about them."""
