"""SignalDeck's engine: decides, sends, remembers and explains. Knows no screen."""
