//! reply - SMTP replies, rendered and parsed
