"""What `inspector report` puts together: one document from one inspection, and what lies around it.

Reading order: chart (where the damage lies), environment (facts about the host), logs (lines tied to bytes),
timeline, document (all of it as one JSON document). The renderers in `inspector.render` see that document and
nothing else, so whatever is taken out of it (by redaction) is in none of them.
"""
