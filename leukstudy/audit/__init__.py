"""What could fool the reader of a study on these data: questions, findings, and the boxes of what is burnt in."""
