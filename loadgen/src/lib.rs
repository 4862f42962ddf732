//! A load generator for WebSocket servers that tells how far its own figures can be trusted.

