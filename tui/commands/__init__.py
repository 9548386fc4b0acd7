"""The commands of `signaldeck`, one file per noun. What a command needs is imported when it runs."""
