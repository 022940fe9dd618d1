//! capabilities - what Postfix offers in its EHLO, and what of it we offer
