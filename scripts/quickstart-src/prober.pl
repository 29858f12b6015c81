#!/usr/bin/perl
# A prober with nothing but perl-base: connects to every ADDRESS PORT pair again and again, each attempt given
# 100 ms, until TERM or LIMIT seconds. Prints OPEN at once when an attempt succeeds, and the counts at the end.
use strict; use warnings; use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);
use Errno qw(EINPROGRESS); use Fcntl; use Time::HiRes qw(time);
$| = 1;
my $limit = shift; my @targets;
while (@ARGV >= 2) { my ($a, $p) = splice @ARGV, 0, 2; push @targets, [$a, $p]; }
my ($attempts, $open, $refused, $silent, $stop) = (0, 0, 0, 0, 0);
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
my $end = time + $limit;
print "READY\n";
until ($stop || time > $end) {
  for my $t (@targets) {
    my ($address, $port) = @$t;
    my $six = index($address, ":") >= 0;
    my $name = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
    socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
    $attempts++;
    my $done = connect($s, $name);
    if (!$done && $! == EINPROGRESS) {
      my $w = ''; vec($w, fileno($s), 1) = 1;
      if (select(undef, $w, undef, 0.1) > 0) {
        my $error = unpack("i", getsockopt($s, SOL_SOCKET, SO_ERROR));
        if ($error == 0) { $done = 1 } else { $refused++ }
      } else { $silent++ }
    } elsif (!$done) { $refused++ }
    if ($done) { $open++; printf "OPEN %s %d at %.3f\n", $address, $port, time; }
    close $s;
    select(undef, undef, undef, 0.005);
  }
}
print "DONE attempts=$attempts open=$open refused=$refused silent=$silent\n";
