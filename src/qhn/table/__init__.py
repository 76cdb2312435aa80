"""Tables as people have them: files and data frames with columns of numbers, dates and texts, made into features."""
