# Listens and answers (serve), or tries targets (dial); the same words as probe.py. Only modules of the smallest Perl.
use strict; use warnings;
use Socket; use Errno qw(EINPROGRESS ECONNREFUSED ECONNRESET ETIMEDOUT ENETUNREACH EHOSTUNREACH EACCES EPERM);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Time::HiRes qw(time);
$| = 1;
$SIG{PIPE} = 'IGNORE';
my %names = (ECONNREFUSED() => 'refused', ECONNRESET() => 'reset', ETIMEDOUT() => 'timeout', ENETUNREACH() => 'no_network',
	EHOSTUNREACH() => 'no_host', EACCES() => 'forbidden', EPERM() => 'forbidden');
sub name { my $c = $_[0] + 0; return $names{$c} || "error_$c" }
sub out { print join(' ', @_), "\n" }
sub nonblocking { fcntl($_[0], F_SETFL, fcntl($_[0], F_GETFL, 0) | O_NONBLOCK) }
sub bits { my $v = ''; vec($v, fileno($_), 1) = 1 for @_; return $v }
sub port { return (unpack_sockaddr_in(getsockname($_[0])))[0] }

sub serve {
	my $token = shift;
	my ($tcp, $udp);
	socket($tcp, PF_INET, SOCK_STREAM, 0) && bind($tcp, pack_sockaddr_in(0, INADDR_ANY)) && listen($tcp, 64) or die "tcp: $!";
	socket($udp, PF_INET, SOCK_DGRAM, 0) && bind($udp, pack_sockaddr_in(0, INADDR_ANY)) or die "udp: $!";
	out('port', port($tcp), port($udp));
	my $end = time + 120;
	while (time < $end) {
		my $r = bits($tcp, $udp, \*STDIN);
		next if select($r, undef, undef, 1) <= 0;
		if (vec($r, 0, 1)) { sysread(STDIN, my $line, 100) or return }
		my $conn;
		if (vec($r, fileno($tcp), 1) && accept($conn, $tcp)) { syswrite($conn, $token); close($conn) }
		if (vec($r, fileno($udp), 1)) {
			my $peer = recv($udp, my $data, 2048, 0);
			send($udp, $data, 0, $peer) if defined $peer && index($data, $token) == 0;
		}
	}
}

sub try_tcp {
	my ($token, $seconds, @targets) = @_;
	my @open;
	for my $t (@targets) {
		my ($addr, $port) = @$t;
		socket(my $s, PF_INET, SOCK_STREAM, 0) or die "tcp: $!";
		nonblocking($s);
		my $begin = time;
		if (connect($s, pack_sockaddr_in($port, inet_aton($addr))) || $! == EINPROGRESS) {
			push @open, { s => $s, addr => $addr, port => $port, begin => $begin };
		} else { out('tcp', $addr, $port, name($!)) }
	}
	my $end = time + $seconds;
	while (@open && time < $end) {
		my $w = bits(map { $_->{s} } grep { !defined $_->{ms} } @open);
		my $r = bits(map { $_->{s} } grep { defined $_->{ms} } @open);
		select($r, $w, undef, 0.1);
		my $now = time;
		my @left;
		for my $o (@open) {
			my $fd = fileno($o->{s});
			my $said;
			if (!defined $o->{ms}) {
				if (vec($w, $fd, 1)) {
					my $code = unpack('i', getsockopt($o->{s}, SOL_SOCKET, SO_ERROR));
					if ($code) { out('tcp', $o->{addr}, $o->{port}, name($code)); close($o->{s}); next }
					$o->{ms} = sprintf('%.3f', ($now - $o->{begin}) * 1000);
					$o->{until} = $now + 0.5;
				}
			} elsif (vec($r, $fd, 1)) {
				my $n = sysread($o->{s}, my $data, length $token);
				$said = !$n ? 'closed' : $data eq $token ? 'token' : '-';
			} elsif ($now >= $o->{until}) { $said = '-' }
			if (defined $said) { out('tcp', $o->{addr}, $o->{port}, 'open', $o->{ms}, $said); close($o->{s}); next }
			push @left, $o;
		}
		@open = @left;
	}
	for my $o (@open) {
		if (defined $o->{ms}) { out('tcp', $o->{addr}, $o->{port}, 'open', $o->{ms}, '-') } else { out('tcp', $o->{addr}, $o->{port}, 'timeout') }
	}
}

sub receive {
	my ($e, $token) = @_;
	my $data;
	if (!defined recv($e->{s}, $data, 2048, 0)) { $e->{error} = name($!); return }
	my $n = substr($data, length($token) + 1, 6) + 0;
	if (!exists $e->{at}{$n}) { $e->{dup}++; return }
	push @{ $e->{rtt} }, (time - delete $e->{at}{$n}) * 1000;
	$e->{got}++;
	$e->{late}++ if $n < $e->{last};
	$e->{last} = $n if $n > $e->{last};
}

sub wait_for {
	my ($token, $until, @echoes) = @_;
	while (@echoes) {
		my $left = $until - time;
		return if $left <= 0;
		my $r = bits(map { $_->{s} } @echoes);
		next if select($r, undef, undef, $left) <= 0;
		for my $e (@echoes) { receive($e, $token) if vec($r, fileno($e->{s}), 1) }
	}
	my $left = $until - time;
	select(undef, undef, undef, $left) if $left > 0 && !@echoes && $left < 0.1;
}

sub try_udp {
	my ($token, $packets, @targets) = @_;
	my @echoes;
	for my $t (@targets) {
		my ($addr, $port) = @$t;
		socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "udp: $!";
		nonblocking($s);
		my $e = { s => $s, addr => $addr, port => $port, error => '-', at => {}, rtt => [], map { $_ => 0 } qw(sent got dup late) };
		$e->{last} = -1;
		$e->{error} = name($!) if !connect($s, pack_sockaddr_in($port, inet_aton($addr)));
		push @echoes, $e;
	}
	for my $n (0 .. $packets - 1) {
		for my $e (@echoes) {
			$e->{at}{$n} = time;
			$e->{sent}++;
			$e->{error} = name($!) if !defined send($e->{s}, $token . sprintf(' %06d ', $n) . 'x' x 160, 0);
		}
		wait_for($token, time + 0.005, @echoes);
	}
	wait_for($token, time + 1, grep { $_->{got} } @echoes);
	for my $e (@echoes) {
		my @rtt = @{ $e->{rtt} } ? sort { $a <=> $b } @{ $e->{rtt} } : (-1);
		my $sum = 0;
		$sum += $_ for @rtt;
		out('udp', $e->{addr}, $e->{port}, $e->{sent}, $e->{got}, $e->{dup}, $e->{late}, sprintf('%.3f', $rtt[0]), sprintf('%.3f', $sum / @rtt),
			sprintf('%.3f', $rtt[-1]), $e->{error});
	}
}

my ($mode, $token, $seconds, $packets, @targets) = @ARGV;
if ($mode eq 'serve') { serve($token); exit 0 }
my %by = (tcp => [], udp => []);
for (@targets) { my ($kind, $addr, $port) = split /:/; push @{ $by{$kind} }, [$addr, $port] }
try_tcp($token, $seconds, @{ $by{tcp} });
try_udp($token, $packets, @{ $by{udp} });
out('end');
