"""Files that go into the students' copy as they are."""
