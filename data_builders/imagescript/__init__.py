"""ImageScript and ImageDiff: pictures of people with descriptions, and pairs of them with texts."""
