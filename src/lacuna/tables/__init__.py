"""The engine: records -> grid -> pages. What belongs to publications lies apart, such as the two papers' in papers/."""
