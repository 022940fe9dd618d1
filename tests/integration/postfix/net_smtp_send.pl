# Sends the mail on standard input with Perl's Net::SMTP.
# Arguments: implicit or starttls, port, root certificate, mechanism, user, password, recipient.
use strict;
use warnings;
use Authen::SASL;
use Net::SMTP;

my ($start, $port, $root, $mechanism, $user, $password, $recipient) = @ARGV;
my %tls = (SSL_ca_file => $root, SSL_verifycn_name => 'localhost');
my $smtp = Net::SMTP->new(
    'localhost', Port => $port, Hello => 'laptop', LocalAddr => '127.11.0.7', Timeout => 60,
    SSL => $start eq 'implicit', %tls,
) or die "connect: $@";
my $said = sub { $smtp->code . ' ' . $smtp->message };
$start eq 'implicit' or $smtp->starttls(%tls) or die 'starttls: ' . $said->();
my $sasl = Authen::SASL->new(
    mechanism => $mechanism, callback => { user => $user, authname => $user, pass => $password },
);
$smtp->auth($sasl) or die 'auth: ' . $said->();
my @mail = <STDIN>;
$smtp->mail($user) && $smtp->to($recipient) && $smtp->data(@mail) or die 'mail: ' . $said->();
$smtp->quit;
