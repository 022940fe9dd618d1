//! tests - who asks and who answers
