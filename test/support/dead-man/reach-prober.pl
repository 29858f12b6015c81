#!/usr/bin/perl
# Whether a client gets through, watched from outside with nothing but perl-base: connects to every ADDRESS PORT pair
# anew every 20 ms, all side by side, each attempt given 150 ms. Prints "TIME ADDRESS PORT open|closed" at each change.
use strict; use warnings; use Socket; use Errno qw(EINPROGRESS); use Fcntl; use Time::HiRes qw(time);
$| = 1;
my @targets;
while (@ARGV >= 2) { my ($a, $p) = splice @ARGV, 0, 2; push @targets, { a => $a, p => $p, next => 0, was => "" }; }
sub told {
  my ($t, $is) = @_;
  printf "%.3f %s %d %s\n", time, $t->{a}, $t->{p}, $is if $t->{was} ne $is;
  $t->{was} = $is; close $t->{s} if $t->{s}; delete $t->{s};
}
while (1) {
  my $w = ''; my $now = time;
  for my $t (@targets) {
    if ($t->{s}) { told($t, "closed") if $now > $t->{end}; }
    if (!$t->{s} && $now >= $t->{next}) {
      socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
      fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
      @$t{qw(s end next)} = ($s, $now + 0.15, $now + 0.02);
      if (connect($s, pack_sockaddr_in($t->{p}, inet_aton($t->{a})))) { told($t, "open") }
      elsif ($! != EINPROGRESS) { told($t, "closed") }
    }
    vec($w, fileno($t->{s}), 1) = 1 if $t->{s};
  }
  select(undef, $w, undef, 0.005);
  for my $t (@targets) {
    next unless $t->{s} && vec($w, fileno($t->{s}), 1);
    told($t, unpack("i", getsockopt($t->{s}, SOL_SOCKET, SO_ERROR)) == 0 ? "open" : "closed");
  }
}
