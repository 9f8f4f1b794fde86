"""What a MAP stands on: layers and configuration that come before everything bedside adds."""
