"""mclstexp."""
