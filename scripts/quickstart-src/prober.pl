#!/usr/bin/perl
# A prober with nothing but perl-base: connects to every ADDRESS PORT pair some 35 times a second, each attempt given
# 100 ms while the next ones go on, until TERM or LIMIT seconds. Prints OPEN at once when an attempt succeeds, and the counts
# at the end.
use strict; use warnings; use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);
use Errno qw(EINPROGRESS); use Fcntl; use Time::HiRes qw(time);
$| = 1;
my $limit = shift; my @targets;
while (@ARGV >= 2) {
  my ($a, $p) = splice @ARGV, 0, 2;
  my $six = index($a, ":") >= 0;
  my $name = $six ? pack_sockaddr_in6($p, inet_pton(AF_INET6, $a)) : pack_sockaddr_in($p, inet_aton($a));
  push @targets, { label => "$a $p", family => $six ? AF_INET6 : AF_INET, name => $name };
}
my ($attempts, $open, $refused, $silent, $stop) = (0, 0, 0, 0, 0);
my %waiting; # by file number: socket, label, until when
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
# a socket unit gives up when it is connected to more than 200 times in 2 s
sub pause { select(undef, undef, undef, 0.025) }
sub opened { $open++; printf "OPEN %s at %.3f\n", $_[0], time; }
sub settle {
  my $w = ''; vec($w, $_, 1) = 1 for keys %waiting;
  my $found = select(undef, $w, undef, 0);
  for my $number (keys %waiting) {
    my $try = $waiting{$number};
    if ($found > 0 && vec($w, $number, 1)) {
      unpack("i", getsockopt($try->{socket}, SOL_SOCKET, SO_ERROR)) == 0 ? opened($try->{label}) : $refused++;
    } elsif (time > $try->{until}) { $silent++ } else { next }
    close $try->{socket}; delete $waiting{$number};
  }
}
my $end = time + $limit;
print "READY\n";
until ($stop || time > $end) {
  for my $t (@targets) {
    socket(my $s, $t->{family}, SOCK_STREAM, 0) or die "socket: $!";
    fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
    $attempts++;
    if (connect($s, $t->{name})) { opened($t->{label}); close $s }
    elsif ($! == EINPROGRESS) { $waiting{fileno $s} = { socket => $s, label => $t->{label}, until => time + 0.1 } }
    else { $refused++; close $s }
  }
  pause(); settle();
}
while (%waiting) { pause(); settle() }
print "DONE attempts=$attempts open=$open refused=$refused silent=$silent\n";
