"""Credit-risk scores from bank transactions: features in SQL, models checked before they are loaded."""
