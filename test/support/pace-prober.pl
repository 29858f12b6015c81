#!/usr/bin/perl
# A prober with nothing but perl-base: RATE connection attempts a second to ADDRESS PORT, on time whatever becomes of
# them, until TERM. Prints "OPEN t" for each that succeeds, and every second "TICK attempts=N open=N refused=N silent=N".
use strict; use warnings; use Socket; use Errno qw(EINPROGRESS); use Fcntl; use Time::HiRes qw(time);
$| = 1;
my ($rate, $address, $port) = @ARGV;
my $name = pack_sockaddr_in($port, inet_aton($address));
my %n = (attempts => 0, open => 0, refused => 0, silent => 0);
my (%live, $stop);
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
sub ended { my ($s, $error) = @_;
  if ($error) { $n{refused}++ } else { $n{open}++; printf "OPEN %.4f\n", time }
  close $s;
}
my ($next, $tick, $watch) = (time, time + 1, '');
print "READY\n";
until ($stop) {
  my $now = time;
  $next = $now if $next < $now - 0.05; # late: the machine is busy
  while ($next <= $now) {
    $next += 1 / $rate; $n{attempts}++;
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) | O_NONBLOCK);
    if (connect($s, $name)) { ended($s, 0) }
    elsif ($! == EINPROGRESS) { $live{fileno $s} = [$s, $now + 0.5]; vec($watch, fileno($s), 1) = 1 }
    else { ended($s, 1) }
  }
  my $wait = $next - time; my $w = $watch;
  select(undef, $w, undef, $wait > 0 ? $wait : 0);
  for my $fd (keys %live) {
    my ($s, $until) = @{$live{$fd}};
    my $ready = vec($w, $fd, 1);
    next unless $ready || $now > $until;
    delete $live{$fd}; vec($watch, $fd, 1) = 0;
    if ($ready) { ended($s, unpack("i", getsockopt($s, SOL_SOCKET, SO_ERROR))) } else { $n{silent}++; close $s }
  }
  if ($now >= $tick) { print "TICK ", join(" ", map { "$_=$n{$_}" } sort keys %n), "\n"; $tick += 1 }
}
print "DONE ", join(" ", map { "$_=$n{$_}" } sort keys %n), "\n";
