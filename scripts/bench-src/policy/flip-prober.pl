#!/usr/bin/perl
# Watches verdicts from outside with nothing but perl-base. Usage: flip-prober.pl PORT open|refused LIMIT ADDRESS...
# Connects to every address again and again until each gives the wanted verdict, or for LIMIT seconds. Prints
# "READY N" after the first round (N: addresses that give it already), "FLIP ADDRESS TIME" when one begins to, "DONE N".
use strict; use warnings; use Socket; use Errno qw(EINPROGRESS); use Fcntl; use Time::HiRes qw(time);
$| = 1;
my ($port, $wanted, $limit, @addresses) = @ARGV;
my %pending = map { $_ => pack_sockaddr_in($port, inet_aton($_)) } @addresses;
my $end = time + $limit;
my $first = 1;
while (%pending && time < $end) {
  my (%socket, $bits); $bits = '';
  for my $address (sort keys %pending) {
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
    if (!connect($s, $pending{$address}) && $! != EINPROGRESS) { close $s; next }
    $socket{$address} = $s; vec($bits, fileno($s), 1) = 1;
  }
  my $until = time + 0.1;
  while (%socket && time < $until) {
    my $found = $bits;
    last unless select(undef, $found, undef, $until - time) > 0;
    my $now = time;
    for my $address (keys %socket) {
      my $s = $socket{$address};
      next unless vec($found, fileno($s), 1);
      my $verdict = unpack("i", getsockopt($s, SOL_SOCKET, SO_ERROR)) == 0 ? 'open' : 'refused';
      if ($verdict eq $wanted) { printf "FLIP %s %.6f\n", $address, $now; delete $pending{$address} }
      vec($bits, fileno($s), 1) = 0; close $s; delete $socket{$address};
    }
  }
  if ($first) { $first = 0; printf "READY %d\n", scalar(@addresses) - keys %pending }
  select(undef, undef, undef, 0.004);
}
printf "DONE %d\n", scalar(@addresses) - keys %pending;
