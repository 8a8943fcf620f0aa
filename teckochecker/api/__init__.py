"""The API as a whole: its errors, its document, health, tokens and the audit."""
