"""People enrolled, and photographs asked after: who is this, or nobody?"""
