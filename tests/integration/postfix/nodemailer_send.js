// Sends the mail on standard input with nodemailer.
// Arguments: implicit or starttls, port, mechanism, user, password, recipient.
const nodemailer = require("nodemailer");
const fs = require("fs");

const [start, port, method, user, pass, recipient] = process.argv.slice(1);
const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  secure: start === "implicit",
  requireTLS: start === "starttls",
  localAddress: "127.11.0.5",
  name: "laptop",
  authMethod: method,
  auth: { user, pass },
});
transport
  .sendMail({ envelope: { from: user, to: recipient }, raw: fs.readFileSync(0) })
  .then((info) => console.log(info.response))
  .catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
