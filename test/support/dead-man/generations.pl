#!/usr/bin/perl
# A line for every transaction of nf_tables on this machine, as soon as the kernel tells of it; perl-base is enough.
use strict; use warnings; use Socket;
$| = 1;
my ($netlink, $netfilter, $group_nftables) = (16, 12, 7);
my $newgen = (10 << 8) | 15;
socket(my $s, $netlink, SOCK_RAW, $netfilter) or die "socket: $!";
# elements come along: room for a few thousand of them
setsockopt($s, SOL_SOCKET, 33, pack("i", 16 << 20)) or die "buffer: $!";
bind($s, pack("S S L L", $netlink, 0, 0, 1 << ($group_nftables - 1))) or die "bind: $!";
while (1) {
  defined(recv($s, my $data, 1 << 20, 0)) or next;
  while (length $data >= 16) {
    my ($length, $type) = unpack("L S", $data);
    print "generation\n" if $type == $newgen;
    last if $length < 16;
    my $whole = ($length + 3) & ~3;
    $data = $whole > length $data ? "" : substr($data, $whole);
  }
}
