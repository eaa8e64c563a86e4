// To be imported where ONNX Runtime is: its builds for Linux send a record of each session to their maker by default.
process.env.ORT_DISABLE_TELEMETRY = '1';
