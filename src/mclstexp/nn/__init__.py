"""Parts in torch, knowing nothing of sections or files."""
