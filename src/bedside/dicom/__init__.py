"""The only room that knows pydicom and highdicom: reads studies, writes results."""
