"""What comes from outside does no harm, and what is secret stays so."""
